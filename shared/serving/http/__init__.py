"""How both services take HTTP and answer errors. Only this and the engine touch private parts of uvicorn."""

from shared.serving.http import seams as seams
