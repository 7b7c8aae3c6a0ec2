"""Models that divide a credited line among its touchpoints, one module each."""
