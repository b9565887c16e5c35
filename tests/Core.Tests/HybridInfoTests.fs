module Hybrid.Core.Tests.HybridInfoTests

open System
open Hybrid.Core
open Xunit

[<Fact>]
let ``Version is the assembly's version`` () =
    let expected = typeof<HybridInfo>.Assembly.GetName().Version
    let actual = Version.Parse(HybridInfo.Version.Split('-')[0])
    Assert.Equal(expected, Version(actual.Major, actual.Minor, actual.Build, 0))
