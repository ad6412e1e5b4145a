"""How photos become edit pairs: one file per method, and the experts that edit."""
