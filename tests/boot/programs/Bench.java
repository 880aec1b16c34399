// SPDX-License-Identifier: MIT
import java.util.*; import java.util.concurrent.*; import java.util.stream.*; import java.security.*; import java.math.*;
public class Bench {
  interface Op { long f(long x); }
  public static void main(String[] a) throws Exception {
    long s = 0; for (int r = 0; r < 20; r++) { int[] x = new int[100000]; for (int i = 0; i < x.length; i++) x[i] = i * 1103515245 + 12345; Arrays.sort(x); for (int i = 0; i < x.length; i += 97) s = s * 31 + x[i]; }
    System.out.println("sort " + s);
    double d = 0; for (int i = 1; i < 3000000; i++) d += Math.sin(i) / Math.sqrt(i); System.out.printf("fp %.9f%n", d);
    Op[] ops = { v -> v * 3 + 1, v -> v >>> 1, v -> v ^ 0x5555L }; long v = 1; for (int i = 0; i < 5000000; i++) v = ops[i % 3].f(v); System.out.println("poly " + v);
    Map<String,Integer> m = new HashMap<>(); for (int i = 0; i < 200000; i++) m.merge("k" + i % 5000, i, Integer::sum); System.out.println("map " + m.size() + " " + m.get("k77"));
    MessageDigest md = MessageDigest.getInstance("SHA-256"); byte[] b = new byte[1 << 20]; for (int i = 0; i < 8; i++) md.update(b); System.out.println("sha " + new BigInteger(1, md.digest()).toString(16));
    ExecutorService ex = Executors.newFixedThreadPool(4); List<Future<Long>> fs = new ArrayList<>(); for (int t = 0; t < 8; t++) { final int tt = t; fs.add(ex.submit(() -> { long q = tt; for (int i = 0; i < 2000000; i++) q = q * 6364136223846793005L + 1442695040888963407L; return q; })); } long z = 0; for (Future<Long> f : fs) z ^= f.get(); ex.shutdown(); System.out.println("threads " + z);
    System.out.println("stream " + IntStream.range(0, 1000000).parallel().filter(i -> i % 3 == 0).mapToLong(i -> (long) i * i).sum());
    BigInteger f = BigInteger.ONE; for (int i = 1; i < 3000; i++) f = f.multiply(BigInteger.valueOf(i)); System.out.println("big " + f.mod(BigInteger.valueOf(1000000007L).pow(3)));
    int npe = 0; for (int i = 0; i < 20000; i++) { try { Object o = i % 2 == 0 ? null : "x"; o.hashCode(); } catch (NullPointerException e) { npe++; } } System.out.println("npe " + npe);
    try { rec(0); } catch (StackOverflowError e) { System.out.println("so ok"); }
    List<byte[]> l = new ArrayList<>(); for (int i = 0; i < 3000; i++) { l.add(new byte[100000]); if (l.size() > 50) l.remove(0); } System.gc(); System.out.println("gc ok");
    StringBuilder sb = new StringBuilder(); for (int i = 0; i < 100000; i++) sb.append((char)('a' + i % 26)); System.out.println("str " + sb.toString().hashCode() + " " + sb.indexOf("xyzab"));
  }
  static int rec(int n) { return rec(n + 1) + 1; }
}
