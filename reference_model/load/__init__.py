"""The load generator: traffic as users send it, changeable while it runs. It needs neither torch nor the models."""
