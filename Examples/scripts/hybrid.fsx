// Loads Hybrid from the build output. With the packages instead: #r "nuget: Hybrid.Layers".
#I "../bin/latest"
#r "Hybrid.Kernels.dll"
#r "Hybrid.Core.dll"
#r "Hybrid.Layers.dll"

// A tensor at the prompt shows its value, computed if need be.
fsi.AddPrinter(fun (t: Hybrid.Core.Tensor) -> string (t.Eval()))
