"""Files: metadata in the environment's store, bytes in the object store (30)."""
