"""From a plan to images: pull, build, push, record."""
