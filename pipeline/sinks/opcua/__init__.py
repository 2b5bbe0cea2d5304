"""OPC UA: a station as a machine vision system after OPC 40100-1, its nodes, its server."""
