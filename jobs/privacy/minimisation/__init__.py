"""Values kept only as precise as their purpose needs, and without what names somebody."""
