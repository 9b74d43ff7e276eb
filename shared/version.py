"""The version of all parts: an image has no package metadata to ask."""

VERSION = "0.1.0"
