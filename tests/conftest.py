"""Settings of all tests."""

from hypothesis import settings

# No deadlines: a property is not wrong because another process had the processor.
settings.register_profile("tabspec", deadline=None)
settings.load_profile("tabspec")
