"""What the engine asks others to do: hooks that its findings call."""
