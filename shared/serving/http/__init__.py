"""How both services take HTTP: uvicorn's protocol, with bounds. Here alone stands what touches its private parts."""

from shared.serving.http import seams as seams
