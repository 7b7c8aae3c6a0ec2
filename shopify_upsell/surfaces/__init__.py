"""Station 6: offers meet people: theme through the app proxy, and the post-purchase page."""
