"""The rating room in a browser: `serve` a study, or make its app."""

from raters.room.app import create_app
from raters.room.serving import serve

__all__ = ["create_app", "serve"]
