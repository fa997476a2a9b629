"""What customers ask for: today their choices about ads and personalisation."""
