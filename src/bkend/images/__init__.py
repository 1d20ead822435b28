"""Pictures made smaller, cropped and converted on their way out (30 §8)."""
