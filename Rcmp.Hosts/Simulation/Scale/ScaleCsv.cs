using System.Text.Json;
using Rcmp.Hosts.Cli;

namespace Rcmp.Hosts.Simulation.Scale;

/// <summary>Points as rows of a file that grows; the columns are the fields of the JSON.</summary>
internal static class ScaleCsv
{
    public static void Append(string path, ScalePoint point)
    {
        var fields = JsonSerializer.SerializeToElement(point, JsonOutput.Options).EnumerateObject().ToList();
        if (!File.Exists(path) || new FileInfo(path).Length == 0) File.AppendAllText(path, string.Join(',', fields.Select(f => f.Name)) + "\n");
        File.AppendAllText(path, string.Join(',', fields.Select(f => f.Value.ToString())) + "\n");
    }
}
