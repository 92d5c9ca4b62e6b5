"""The rules of IHE AI Results (AIR), and whether the objects of a folder keep them."""
