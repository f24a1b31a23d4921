"""Charts and timelines as inline SVG."""
