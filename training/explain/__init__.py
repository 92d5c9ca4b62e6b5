"""What the network looks at, and how much a heat map is worth."""
