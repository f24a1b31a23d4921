"""Everything tabspec raises on purpose.

    TabspecError
    ├── InputError             what the user gave cannot be used (the command line exits with 2)
    │   ├── SessionError       a recorded session that cannot be read or replayed
    │   ├── ConfigError        a setting of the wrong kind or out of range
    │   └── ModelNotUsable     a model that is not there, has no FIM tokens, does not fit
    ├── PositionError          a position or edit outside its document
    └── ModelError             the model failed while it was generating
        ├── PromptRefused      the prompt itself cannot be taken: too long, of unknown tokens
        └── ModelUnavailable   it is gone for now (worker died, server down); service may return

A message is one line that says what is wrong and, where something can be done, what to do.
"""


class TabspecError(Exception):
    """Base of all errors that tabspec raises on purpose."""


class InputError(TabspecError):
    """The user's input cannot be used. The message says what to do."""


class SessionError(InputError):
    """A recorded session cannot be read or replayed."""


class ConfigError(InputError):
    """A setting has the wrong type or is out of range."""


class ModelNotUsable(InputError):
    """The model named cannot be loaded or cannot fill in the middle."""


class PositionError(TabspecError):
    """A position or an edit lies outside its document."""


class ModelError(TabspecError):
    """The model failed while it was generating."""


class PromptRefused(ModelError):
    """The model cannot take this prompt. Another request with it would fail, too."""


class ModelUnavailable(ModelError):
    """The model cannot be reached for now; later requests may succeed."""
