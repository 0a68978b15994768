"""Autobahn|Testsuite against the WebSocket protocol class that ships."""
