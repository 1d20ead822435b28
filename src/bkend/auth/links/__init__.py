"""What is done by a link in a mail: magic links, verification, password reset, invitations
(10 §6, §8, §9, §12)."""
