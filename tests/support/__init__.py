"""Tools that several folders of tests share: models, stores, servers, waiting."""
