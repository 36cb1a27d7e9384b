"""The types that all code shares: errors, contract, shapes, style net, plan."""
