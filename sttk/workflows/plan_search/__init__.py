"""The search of the cheapest plan that holds a floor."""
