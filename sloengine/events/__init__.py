"""What registries and fleet managers tell, read and checked. Pure."""
