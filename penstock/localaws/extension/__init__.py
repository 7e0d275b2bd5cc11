"""What we change in MiniStack, one hook a file: each says which function it touches, why, and on which version."""
