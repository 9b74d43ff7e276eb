"""The AsyncAPI document of what subscribers see, put together from the models of both services."""
