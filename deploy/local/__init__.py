"""`storecast up`: the whole system on one machine, each part a supervised process on 127.0.0.1."""
