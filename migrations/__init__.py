"""The numbered steps by which the database's schema came about; run by the service, never by hand."""
