"""What concerns the server as a whole, for those who look after it (51 §8, "System")."""
