"""The command line `storecast`: a system on this machine, products in and events out, and settings that are checked."""
