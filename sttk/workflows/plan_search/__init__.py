"""The search for the cheapest plan that holds a PSNR floor."""
