"""What the service does for a request, instrumented, between the API's JSON and the engines."""
