// Out of a frame, the course takes its place in the window; where there is none, nothing happens.
if (window !== top) top.location.href = "/";
