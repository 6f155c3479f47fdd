"""The service's JSON documents as typed values, a module for what each is about."""
