"""Station 3: what we may know of a person: suppressions now; signals, stage and preferences join them."""
