"""How both services take HTTP and answer what goes wrong. What touches private parts of uvicorn stands here alone."""

from shared.serving.http import seams as seams
