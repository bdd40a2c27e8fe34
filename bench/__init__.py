"""How fast the product is as deployed, beside what this machine could do at best."""
