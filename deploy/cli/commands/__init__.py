"""The commands as they are typed: names, options, help. What one does is imported when it runs.

A shell that completes a command loads all of them at each press of the key.
"""
