using System.Diagnostics;

namespace Rcmp.Tests.Repository;

public sealed class DeployTests : IDisposable
{
    private const string Program = "/opt/rcmp/Rcmp.Hosts";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rcmp-units-");

    public static TheoryData<string> Units() => new(SourceTree.FilesUnder("deploy", ".service"));

    [Theory]
    [MemberData(nameof(Units))]
    public void SystemdAcceptsTheUnit(string unit)
    {
        // Verification insists that the program is installed: any program that is there will do.
        var name = Path.GetFileName(unit).Replace("@.", "@rack.", StringComparison.Ordinal);
        var copy = Path.Combine(_folder.FullName, name);
        File.WriteAllText(copy, SourceTree.Read(unit).Replace(Program, "/bin/sh", StringComparison.Ordinal));

        var start = new ProcessStartInfo("systemd-analyze", ["verify", "--man=no", "--recursive-errors=no", copy])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var analyze = StartOrSkip(start);
        var output = analyze.StandardError.ReadToEnd() + analyze.StandardOutput.ReadToEnd();
        analyze.WaitForExit();

        Assert.True(analyze.ExitCode == 0 && !output.Contains(name, StringComparison.Ordinal), output);
    }

    [Theory]
    [MemberData(nameof(Units))]
    public void TheUnitRunsAConfigurationThatThisRepositoryHas(string unit)
    {
        var command = SourceTree.Read(unit).Split('\n').Single(line => line.StartsWith("ExecStart=", StringComparison.Ordinal));
        var words = command["ExecStart=".Length..].Split(' ');

        Assert.Equal(Program, words[0]);
        Assert.Equal("--config", words[2]);
        Assert.True(File.Exists(Path.Combine(SourceTree.Root, "hocon", words[1] + ".conf")), $"hocon/{words[1]}.conf is missing");
    }

    [Fact]
    public void TheRackMayLockItsMemoryAndReachItsDevices()
    {
        var unit = SourceTree.Read("deploy/rcmp-rack@.service");

        Assert.Contains("LimitMEMLOCK=infinity", unit, StringComparison.Ordinal);
        Assert.DoesNotContain("\nPrivateDevices=yes", unit, StringComparison.Ordinal);
        Assert.DoesNotContain("\nMemoryDenyWriteExecute=yes", unit, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static Process StartOrSkip(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("systemd-analyze is not installed");
            throw;
        }
    }
}
