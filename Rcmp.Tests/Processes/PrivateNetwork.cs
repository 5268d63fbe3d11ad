using System.Diagnostics;
using Rcmp.Hosts.Local;

namespace Rcmp.Tests.Processes;

/// <summary>Runs a test once more where it may make a network and cut its links, which takes a process of its own.</summary>
internal static class PrivateNetwork
{
    private const string Inside = "TEST_IN_PRIVATE_NETWORK";

    public static bool IsInside => Environment.GetEnvironmentVariable(Inside) is not null;

    /// <summary>True: the test was run inside, and passed. False: this is inside.</summary>
    public static async Task<bool> RanInsideAsync(Type type, string method)
    {
        if (IsInside) return false;
        if (LinkNamespace.Problem is { } problem) Assert.Skip(problem);
        var program = new ProcessStartInfo("dotnet", [typeof(PrivateNetwork).Assembly.Location, "-noColor", "-showLiveOutput", "-method", $"{type.FullName}.{method}"]);
        var start = LinkNamespace.Enter(program);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        start.Environment[Inside] = "1";
        using var process = Process.Start(start)!;
        var ct = TestContext.Current.CancellationToken;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(ct);
            var said = await process.StandardOutput.ReadToEndAsync(ct);
            await process.WaitForExitAsync(ct);
            TestContext.Current.SendDiagnosticMessage(said);
            Assert.True(process.ExitCode == 0 && said.Contains("Total: 1", StringComparison.Ordinal), said + await errors);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
        return true;
    }
}
