"""What kills, full disks and two runs at once may not do."""
