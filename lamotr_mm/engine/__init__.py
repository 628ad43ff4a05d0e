"""What happens around the model while it trains and tracks."""
