"""The settings of the services as they would be taken here, and what is wrong with them."""
