"""The members, one file each; :data:`isthmus.registry.MEMBERS` lists them."""
