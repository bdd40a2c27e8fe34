"""The journeys: what people do here, one module each, its functions in the order of the steps."""
