"""Where data come from: a simulated world today; dashboards' exports and public logs have their place here."""
