"""The promises of the store port, one function each. `weft_core.testing.check_store` runs them."""
