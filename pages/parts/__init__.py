"""Layout that several pages share: no data, no decisions."""
